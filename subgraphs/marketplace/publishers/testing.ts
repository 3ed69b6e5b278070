import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import dns2 from 'dns2'

/** What a name has: TXT records; `silent`: the server does not answer; `broken`: it says that it can not. */
export type Zone = Map<string, readonly string[] | 'silent' | 'broken'>

/** A name server for TXT records, over UDP on this machine. */
export async function serveDns(zone: Zone) {
  const server = dns2.createServer({
    udp: true,
    handle(request, send) {
      const response = dns2.Packet.createResponseFromRequest(request)
      const [question] = request.questions
      const found = zone.get(question?.name ?? '')
      if (found === 'silent') return
      if (found === 'broken') response.header.rcode = dns2.Packet.RCODE.SERVFAIL
      else if (!found || !question) response.header.rcode = dns2.Packet.RCODE.NXDOMAIN
      else
        for (const data of found)
          response.answers.push(dns2.Packet.createResourceFromQuestion(question, { ttl: 0, data }))
      void send(response)
    },
  })
  await server.listen({ udp: { port: 0, address: '127.0.0.1' } })
  const { port } = server.addresses().udp as AddressInfo
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server.close() }
}

/** A web server that has the files of all domains, each under its name. */
export async function serveFiles(answer: RequestListener) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    originOf: (domain: string) => `http://127.0.0.1:${port}/${domain}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
