/** The worker of programs that only list adapters. */
export async function serve(): Promise<void> {}
