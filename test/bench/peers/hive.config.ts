/** Read by Hive Gateway's command, beside its options. */
export const gatewayConfig = {
  propagateHeaders: {
    fromClientToSubgraphs({ request }: { request: Request }) {
      return { authorization: request.headers.get('authorization') ?? '' }
    },
  },
}
