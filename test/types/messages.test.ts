import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { createHost } from '../support/compiler.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const declarations = `
import { type NamedTask, type Task, type TaskAdder } from './types/index.js'
declare const tasks: TaskAdder
declare const resize: NamedTask<{ key: string, width: number }, { bytes: number }>
declare function sendEmail (to: string, subject: string): boolean
declare function withTask (key: string, width: number, task: Task): void
declare function withOptional (to: string, copies?: number): void
declare function withMeta (to: string, meta?: unknown): void
declare function withRest (to: string, ...sizes: number[]): void
declare function withDone (done: () => void, times: number): void
declare function withCallback (key: string, done: () => void, times: number): void
`

/** Calls, each with what the compiler marks and says: the message begins so. Undefined where the call is right. */
const calls: [call: string, marked: string | undefined, message?: string][] = [
  ["tasks.add(sendEmail, 'ada', 'hi')", undefined],
  ['tasks.add(sendEmail, 5, "hi")', '5', "Argument of type 'number' is not assignable to parameter of type 'string'."],
  ['tasks.add(sendEmail, "ada", 5)', '5', "Argument of type 'number' is not assignable to parameter of type 'string'."],
  ['tasks.add(sendEmail, "ada")', 'add', 'Expected 3 arguments, but got 2.'],
  ['tasks.add(sendEmail)', 'add', 'Expected 3 arguments, but got 1.'],
  ['tasks.add(sendEmail, "ada", "hi", "ho")', '"ho"', 'Expected 3 arguments, but got 4.'],
  ['tasks.add(withCallback, "ada", () => {})', 'add', 'Expected 4 arguments, but got 3.'],
  ['tasks.add(withDone, () => {})', 'add', 'Expected 3 arguments, but got 2.'],
  ['tasks.add(withOptional)', 'add', 'Expected 2-3 arguments, but got 1.'],
  ['tasks.add(withRest, "ada", 1, "2")', '"2"', "Argument of type 'string' is not assignable to parameter of type 'number'."],
  ['tasks.add((to: string) => to, 5)', '5', "Argument of type 'number' is not assignable to parameter of type 'string'."],

  ["tasks.add({}, sendEmail, 'ada', 'hi')", undefined],
  ['tasks.add({}, sendEmail, "ada", 5)', '5', "Argument of type 'number' is not assignable to parameter of type 'string'."],
  ['tasks.add({}, sendEmail, "ada")', 'add', 'Expected 4 arguments, but got 3.'],
  ['tasks.add({}, withTask, "a", "b")', '"b"', "Argument of type 'string' is not assignable to parameter of type 'number'."],
  ['tasks.add({}, withTask, "a")', 'add', 'Expected 4 arguments, but got 3.'],
  ['tasks.add({}, withOptional, "ada")', 'add', 'Expected 4 arguments, but got 3.'],
  ['tasks.add({}, withMeta, "ada")', 'add', 'Expected 4 arguments, but got 3.'],
  ['tasks.add({}, withRest, "ada")', 'withRest', "Argument of type '(to: string, ...sizes: number[]) => void' is not assignable to parameter of type '\"a function whose parameters end"],
  ['tasks.add({ timeOut: 5 }, sendEmail, "ada", "hi")', 'timeOut', 'No overload matches this call.'],
  ['tasks.add({ timeout: 5 })', 'add', 'Expected at least 2 arguments, but got 1.'],

  ["tasks.add(resize, { key: 'a', width: 1 })", undefined],
  ['tasks.add(resize)', 'add', 'Expected 2-3 arguments, but got 1.'],
  ['tasks.add(resize, { key: "a" })', '{ key: "a" }', "Argument of type '{ key: string; }' is not assignable to parameter of type '{ key: string; width: number; }'."],
  ['tasks.add(resize, { key: "a", width: "1" })', 'width', "Type 'string' is not assignable to type 'number'."],
  ['tasks.add(resize, { key: "a", width: 1 }, { dealy: 5 })', 'dealy', "Object literal may only specify known properties, but 'dealy' does not exist in type 'NamedTaskOptions'."],

  ['tasks.add(Promise.resolve())', 'Promise.resolve()', "Argument of type 'Promise<void>' is not assignable to parameter of type '\"the function itself; a promise is for waitUntil\"'."],
  ['tasks.add(undefined)', 'undefined', "Argument of type 'undefined' is not assignable to parameter of type 'TaskOptions'."]
]

/** What the compiler says of each call, in order. */
function compile (sources: string[]): { marked: string, message: string }[][] {
  const path = join(root, 'messages.ts')
  const file = ts.createSourceFile(path, declarations + sources.join('\n'), ts.ScriptTarget.ES2022)
  const first = file.getLineAndCharacterOfPosition(declarations.length).line
  const options: ts.CompilerOptions = { module: ts.ModuleKind.NodeNext, strict: true, skipLibCheck: true, types: ['node'], noEmit: true }
  const host = createHost(options)
  const { getSourceFile, fileExists } = host
  host.getSourceFile = (name, ...rest) => name === path ? file : getSourceFile(name, ...rest)
  host.fileExists = (name) => name === path || fileExists(name)
  const diagnostics = ts.createProgram([path], options, host).getSemanticDiagnostics(file)
  return sources.map((_, index) => diagnostics
    .filter(({ start = 0 }) => file.getLineAndCharacterOfPosition(start).line === first + index)
    .map(({ start = 0, length = 0, messageText }) => ({
      marked: file.text.slice(start, start + length), message: ts.flattenDiagnosticMessageText(messageText, '\n')
    })))
}

t.test('the compiler reports a wrong or missing argument of add at that argument', async (t) => {
  const found = compile(calls.map(([call]) => call))
  for (const [index, [call, marked, message = '']] of calls.entries()) {
    const said = found[index] ?? []
    t.same(said.map((diagnostic) => diagnostic.marked), marked === undefined ? [] : [marked], call)
    if (marked !== undefined) t.equal(said[0]?.message.slice(0, message.length), message, call)
    t.notMatch(said[0]?.message, "parameter of type 'NamedTask", call)
  }
})
