import t from 'tap'
import ts from 'typescript'
import { partFiles, program } from '../support/docs-program.js'
import { placeOf } from '../support/snippets.js'

// The compiler takes its time on a busy machine.
t.setTimeout(180_000)

t.test('every ts block of the README and of docs compiles under strict options', async (t) => {
  const diagnostics = [...partFiles.keys()].flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)))
  const problems = diagnostics.map(({ file, start = 0, messageText }) => {
    const block = partFiles.get(file?.fileName ?? '')
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line
    const where = block === undefined ? file?.fileName : placeOf(block, line)
    return `${where}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  t.same(problems, [])
})
