/** What an error reply says of itself. */
export async function messageOf (response: Response): Promise<string | undefined> {
  try {
    const { message } = await response.json() as { message?: unknown }
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}

/** Why a reply is no live stream, in words. Undefined for one that is. */
export async function refusal (response: Response): Promise<{ words: string, isRefused?: boolean } | undefined> {
  const { status } = response
  if (status === 401) return { words: 'not live: you are not signed in (401)', isRefused: true }
  if (status === 403) return { words: 'not live: you may not see this (403)', isRefused: true }
  if (status === 503) return { words: `not live: ${await messageOf(response) ?? 'too many viewers'} (503), trying again` }
  if (!response.ok) return { words: `not live: the app answers with ${status}, trying again` }
  // A page for signing in, most likely: fetch has followed where the app sent it.
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    return { words: 'not live: another page has answered. Are you signed in?', isRefused: true }
  }
}
