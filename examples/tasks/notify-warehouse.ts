import type { Task } from '../../index.js'

export interface Order {
  id: string
  item: string
  email: string
}

/** Tells the warehouse about an order. Fails while the warehouse cannot be reached. */
export async function notifyWarehouse (url: string, order: Order, task: Task): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
    signal: task.signal
  })
  if (!response.ok) throw new Error(`the warehouse replied ${response.status}`)
}
