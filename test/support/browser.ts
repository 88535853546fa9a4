import { type Browser, type BrowserContextOptions, type Locator, type Page, chromium } from 'playwright-core'
import type { Test } from 'tap'
import { findProgram, skipWithout } from './server-process.js'

const program = findProgram('chromium') ?? findProgram('google-chrome') ?? findProgram('chromium-browser')

/** tap's `skip` option for tests that need a browser. */
export const withoutBrowser = skipWithout('chromium', program)

/** Nothing of the browser's own goes out to the network. */
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync']

interface PageOptions extends BrowserContextOptions {
  /** Errors of the console that belong to the test, such as that of a reply of 503. All others fail it. */
  expects?: RegExp
}

/** The browser of a test file, started with the first page. */
export class TestBrowser {
  #browser: Promise<Browser> | undefined

  constructor (t: Test) {
    t.teardown(async () => { await (await this.#browser)?.close() })
  }

  /** A page of its own, as in a private window. The test fails on errors of the console, and on violations of the policy, which are such. */
  async open (t: Test, url: string, { expects, ...options }: PageOptions = {}): Promise<Page> {
    if (program === undefined) throw new Error('chromium is not installed')
    this.#browser ??= chromium.launch({ executablePath: program, args })
    const context = await (await this.#browser).newContext(options)
    const errors: string[] = []
    context.on('weberror', (error) => { errors.push(String(error.error())) })
    context.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()) })
    t.teardown(async () => {
      await context.close()
      const unexpected = errors.filter((error) => expects?.test(error) !== true)
      if (unexpected.length > 0) throw new Error(`the browser complains: ${unexpected.join('\n')}`)
    })
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    await page.goto(url)
    return page
  }
}

/** Waits until the page says that it is live. */
export const isLive = (page: Page): Promise<void> => page.getByRole('status').getByText('live', { exact: true }).waitFor()

/** The texts of all that the locator finds, spaces as one reads them. */
export async function textsOf (locator: Locator): Promise<string[]> {
  return (await locator.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim())
}
