const handedOver = 100

/** As `OnRecords` gets them. */
export const inPieces = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / handedOver) }, (_, index) =>
    all.slice(index * handedOver, (index + 1) * handedOver),
  )
