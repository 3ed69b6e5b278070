import { join } from 'node:path'
import { openSeal, type Seal } from '@community/infra/seal.ts'
import { type AddressesOf, addressesByDns } from '../kit/addresses.ts'
import { type Catalogue, startCatalogue } from '../kit/search/catalogue.ts'
import type { Floor } from '../kit/subgraph.ts'
import { type Comparing, openComparing } from './compatibility/compare.ts'
import { keepNeeds, type Needs } from './needs/needs.ts'
import { openProofs, type Prove } from './publishers/proof.ts'
import { listingSource } from './search/catalogue.ts'
import type { Facts } from './search/entry.ts'
import { type Orders, openOrders } from './search/orders.ts'
import { type InTurn, openTurns } from './turns.ts'

export type MarketplaceFloor = Floor & {
  catalogue: Catalogue<Facts>
  orders: Orders
  needs: Needs
  inTurn: InTurn
  comparing: Comparing
  prove: Prove
  /** What webhooks' secrets are kept with. */
  seal: Seal
  /** Of the hosts at which organizations are told. */
  addressesOf: AddressesOf
}

const mostInTurn = 100

export async function prepareFloor(
  floor: Floor,
  undo: (step: () => Promise<void>) => void,
): Promise<MarketplaceFloor> {
  const { keysDir, dataDir } = floor.config
  const seal = await openSeal(keysDir ?? join(dataDir, 'keys'))
  const needs = keepNeeds(floor)
  undo(() => needs.stop())
  const catalogue = startCatalogue(floor, listingSource)
  undo(() => catalogue.stop())
  const { pool, log, outbound, config } = floor
  const onFault = (error: unknown) =>
    log.warn({ err: error }, 'the order of the catalogue could not be renewed')
  const orders = openOrders({ pool, onFault }, catalogue.index.generation)
  const comparing = openComparing(log)
  undo(() => comparing.close())
  const prove = openProofs({ outbound, dnsServers: config.dnsServers })
  return {
    ...floor,
    catalogue,
    orders,
    needs,
    inTurn: openTurns(mostInTurn),
    comparing,
    prove,
    seal,
    addressesOf: addressesByDns(),
  }
}
