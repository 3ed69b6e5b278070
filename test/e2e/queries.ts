/** Asks all five subgraphs about every active agent. */
export const fiveSubgraphs = /* GraphQL */ `
  query FiveSubgraphs($first: Int! = 200) {
    agents(filter: { status: [ACTIVE] }, first: $first) {
      totalCount
      edges {
        node {
          id
          name
          organization { name }
          listing { rating { count } }
          certification { status level gates { name verdict } }
          usage { calls errors tokensIn }
        }
      }
    }
  }
`
