/** Types for the tests. */
export function requestToken(
  issuer: string,
  wished: { readonly resource?: string | undefined; readonly scope?: string },
): Promise<string>
export function revokeToken(issuer: string, token: string): Promise<void>
