import { dirname, join } from 'node:path'
import ts from 'typescript'
import { root } from './pages.js'
import { complete, parts, preludePath, sources } from './snippets.js'

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)

/** The parts as files beside the prelude. */
export const partFiles = new Map(parts.map((block) =>
  [join(dirname(preludePath), `${block.page.replaceAll(/\W/g, '-')}-${block.line}.ts`), block]))

function createProgram (): ts.Program {
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile } = host
  host.fileExists = (path) => partFiles.has(path) || fileExists(path)
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const block = partFiles.get(path)
    return block === undefined ? getSourceFile(path, languageVersion, ...rest) : ts.createSourceFile(path, complete(block), languageVersion)
  }
  const entries = [...sources].map(([name, path]): [string, string] => [name, join(root, path.replace(/js$/, 'ts'))])
  const paths = Object.fromEntries(entries.map(([name, path]) => [name, [path]]))
  return ts.createProgram([join(root, 'types/index.ts'), ...entries.map(([, path]) => path), ...partFiles.keys()], { ...options, paths }, host)
}

/** The parts of all pages, the sources of the package, and the types of both. */
export const program = createProgram()
const checker = program.getTypeChecker()

function exportsOf (file: string): ts.Symbol[] {
  const source = program.getSourceFile(join(root, file))
  if (source === undefined) throw new Error(`the program has no ${file}`)
  return checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)
}

/** The names that a file exports, types among them. */
export function exportedNames (file: string): string[] {
  return exportsOf(file).map(({ name }) => name).sort()
}

function typeOf (name: string, file: string): ts.Type {
  const symbol = exportsOf(file).find((symbol) => symbol.name === name)
  if (symbol === undefined) throw new Error(`${file} has no ${name}`)
  return checker.getDeclaredTypeOfSymbol(symbol)
}

/** The texts of a public union of texts, or those that a property has in a union of objects. */
export function literalsOf (name: string, property?: string): string[] {
  const type = typeOf(name, 'types/index.ts')
  const types = (type.isUnion() ? type.types : [type])
    .map((part) => property === undefined ? part : checker.getTypeOfSymbol(part.getProperty(property)!))
  return types.flatMap((part) => part.isStringLiteral() ? [part.value] : []).sort()
}

/** The members of a public interface, inherited ones included, and what their comments say of the default. */
export function membersOf (name: string, file = 'types/index.ts'): Map<string, string> {
  return new Map(checker.getPropertiesOfType(typeOf(name, file)).filter(({ name }) => !name.startsWith('__@')).map((member) => {
    const tag = member.getJsDocTags().find((tag) => tag.name === 'default')
    return [member.name, ts.displayPartsToString(tag?.text)]
  }))
}

const sourcesOfLib = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'lib/')) && !fileName.includes('/conformance/'))

interface Call {
  readonly node: ts.CallExpression
  readonly parameters: readonly ts.Symbol[]
}

/** All calls in the sources of the package. */
function findCalls (): Call[] {
  const calls: Call[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) calls.push({ node, parameters: checker.getResolvedSignature(node)?.getParameters() ?? [] })
    ts.forEachChild(node, visit)
  }
  for (const source of sourcesOfLib) visit(source)
  return calls
}

export interface LogLine {
  readonly message: string
  /** What the call says of the level: `log.warn(…)`, or `write(task, 'warn', …)`. */
  readonly level: string | undefined
}

function levelOf ({ expression, arguments: given }: ts.CallExpression): string | undefined {
  const words = [ts.isPropertyAccessExpression(expression) ? expression.name.text : '', ...given.map((argument) => ts.isStringLiteral(argument) ? argument.text : '')]
  return words.find((word) => ['debug', 'info', 'warn', 'error'].includes(word))
}

/**
 * The texts that an expression can be: a literal, a constant, a union, a template of these, or what callers pass to a parameter.
 * An expression that cannot be told is a text itself, which no table has.
 */
function textsOf (expression: ts.Expression, level: string | undefined, calls: readonly Call[]): LogLine[] {
  if (ts.isTemplateExpression(expression)) {
    return expression.templateSpans.reduce<LogLine[]>((lines, { expression, literal }) => lines.flatMap(({ message }) =>
      textsOf(expression, level, calls).map((middle) => ({ message: message + middle.message + literal.text, level: middle.level }))),
    [{ message: expression.head.text, level }])
  }
  const type = checker.getTypeAtLocation(expression)
  const types = type.isUnion() ? type.types : [type]
  if (types.every((part) => part.isStringLiteral())) return types.map(({ value }) => ({ message: value, level }))
  const declaration = checker.getSymbolAtLocation(expression)?.valueDeclaration
  if (declaration === undefined || !ts.isParameter(declaration)) return [{ message: expression.getText(), level }]
  return calls.flatMap(({ node, parameters }) => {
    const argument = node.arguments[parameters.findIndex(({ valueDeclaration }) => valueDeclaration === declaration)]
    return argument === undefined ? [] : textsOf(argument, level ?? levelOf(node), calls)
  })
}

/** The log lines that the sources of the package write: what they pass to the parameter `msg` of a logger. */
export function logLines (): LogLine[] {
  const calls = findCalls()
  return calls.flatMap(({ node, parameters }) => {
    const message = node.arguments[parameters.findIndex(({ name }) => name === 'msg')]
    return message === undefined ? [] : textsOf(message, levelOf(node), calls)
  })
}
