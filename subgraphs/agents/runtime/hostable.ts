/** What a manifest may leave open, filled in for the runtime. */
export function hostable(
  manifest: Record<string, unknown>,
  organizationId: string,
  visibility: string,
): Record<string, unknown> {
  const { metadata, spec } = manifest as { metadata: object; spec: object }
  return {
    ...manifest,
    metadata: { namespace: organizationId, ...metadata },
    spec: { visibility, ...spec },
  }
}
