import parse from 'spdx-expression-parse'
import type { Weakness } from '../weakness.ts'
import deniedLicences from './denied-licences.json' with { type: 'json' }
import { weakness } from './rules.ts'
import type { Component } from './sbom.ts'

type Expression = ReturnType<typeof parse>

const denied = new Map(Object.entries(deniedLicences).map(([id, why]) => [id.toLowerCase(), why]))

/** Components under terms that an agent of a marketplace can't be offered under, and how many name none. */
export function licenceWeaknesses(components: readonly Component[]): Weakness[] {
  const found = components.flatMap(({ name, licenses = [], at }) =>
    licenses.flatMap((licence) => {
      const why = refusalOf(licence)
      return why === null
        ? []
        : [weakness('denied-licence', `sbom:${at}/licenses`, `${name}: ${licence}, ${why}`)]
    }),
  )
  const silent = components.filter(({ licenses = [] }) => licenses.length === 0)
  if (silent.length === 0) return found
  const seen = `${silent.length} of ${components.length} components, as ${silent[0]!.name}`
  return [...found, weakness('component-without-licence', `sbom:${silent[0]!.at}`, seen)]
}

function refusalOf(licence: string): string | null {
  try {
    return ofExpression(parse(licence))
  } catch {
    // A name of no list's is compared as it is.
    return denied.get(licence.toLowerCase()) ?? null
  }
}

/** Of alternatives one may be chosen; what is joined holds together. */
function ofExpression(expression: Expression): string | null {
  if ('license' in expression) return denied.get(expression.license.toLowerCase()) ?? null
  const [left, right] = [ofExpression(expression.left), ofExpression(expression.right)]
  return expression.conjunction === 'or' ? (left === null ? null : right) : (left ?? right)
}
