import { join } from 'node:path'
import ts from 'typescript'

/** Where TypeScript and other packages are installed. */
export const installed = join(process.cwd(), 'node_modules')

/** Their files, each as a module of its kind. Nothing that a program does to them is seen by another. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** The compiler's own host, but that all programs of this process share what they parse of other packages. */
export function createHost (options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (path, settings, ...rest) => {
    if (!path.startsWith(installed)) return getSourceFile(path, settings, ...rest)
    const { languageVersion, impliedNodeFormat } = typeof settings === 'object' ? settings : { languageVersion: settings }
    const key = [path, languageVersion, impliedNodeFormat].join()
    if (!parsed.has(key)) parsed.set(key, getSourceFile(path, settings, ...rest))
    return parsed.get(key)
  }
  return host
}

/**
 * Does what `tsc` does in a project, and gives what it finds. Of the declarations of other packages it checks what the project
 * and our package use of them, or, where `everything` is true, all.
 */
export function compileProject (folder: string, everything = false): string[] {
  const sys = { ...ts.sys, getCurrentDirectory: () => folder, onUnRecoverableConfigFileDiagnostic () {} }
  const { fileNames, options, errors } = ts.getParsedCommandLineOfConfigFile(join(folder, 'tsconfig.json'), {}, sys)!
  const host = { ...createHost(options), getCurrentDirectory: sys.getCurrentDirectory }
  const program = ts.createProgram(fileNames, options, host)
  // Without a file, each of the two calls below would check all of them.
  const files = everything ? [undefined] : program.getSourceFiles().filter(({ fileName }) => !fileName.startsWith(installed))
  const diagnostics = [
    ...errors, ...program.getOptionsDiagnostics(), ...program.getSyntacticDiagnostics(),
    ...files.flatMap((file) => [...program.getSemanticDiagnostics(file), ...program.emit(file).diagnostics]),
    ...program.getGlobalDiagnostics()
  ]
  return diagnostics.map((diagnostic) => ts.formatDiagnostic(diagnostic, host).trim())
}
