import type {
  CountsEntry, Entry, FoundEntry, ListedEntry, ListEntry, NameEntry, PageEntry, RatesEntry, RequestEntry, StoreEntry, TaskEntry
} from '../view.js'

export type Entries = Readonly<Record<string, Entry>>

/** What a view may hold, by key. */
interface Known {
  page: PageEntry
  store: StoreEntry
  counts: CountsEntry
  rates: RatesEntry
  list: ListEntry
  request: RequestEntry
  task: TaskEntry
  found: FoundEntry
}

export function entryOf<Key extends keyof Known> (entries: Entries, key: Key): Known[Key] | undefined {
  return entries[key] as Known[Key] | undefined
}

function withPrefix<Kind extends Entry> (entries: Entries, prefix: string): Kind[] {
  return Object.keys(entries).filter((key) => key.startsWith(prefix)).map((key) => entries[key] as Kind)
}

/** By name, so that a row keeps its place whatever its numbers do. */
export const namesOf = (entries: Entries): NameEntry[] =>
  withPrefix<NameEntry>(entries, 'name:').sort((a, b) => a.name < b.name ? -1 : 1)

/** The newest first. */
export const requestsOf = (entries: Entries): RequestEntry[] =>
  withPrefix<RequestEntry>(entries, 'request:').sort((a, b) => b.number - a.number)

/** The tasks of the page, in the order of the list. */
export const listedOf = (entries: Entries): ListedEntry[] =>
  (entryOf(entries, 'list')?.ids ?? []).map((id) => entries[`task:${id}`] as ListedEntry | undefined).filter((task) => task !== undefined)

/** What is true whatever the view: it is shown until the next view has come. */
export function sharedOf (entries: Entries): Entries {
  return Object.fromEntries(['page', 'store', 'counts'].filter((key) => key in entries).map((key) => [key, entries[key] as Entry]))
}
