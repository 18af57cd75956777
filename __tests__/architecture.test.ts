/** The rules of the layout, held by reading the source: direction of imports, circles, budgets, style. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import ts from 'typescript'

const LIB = resolve('lib')

/** Imports point down this list only; folders on one line never import each other. */
const LAYERS = [
  ['main'],
  ['index', 'express', 'redis', 'testing'],
  ['core/authenticate', 'core/hints'],
  ['core/options'],
  [
    'core/token',
    'core/sender-constraint',
    'core/revocation',
    'core/authorization',
    'core/challenge',
    'core/resource-metadata',
  ],
  ['core/issuer'],
  ['core/io'],
  ['core/events', 'core/claims-schema'],
  ['core/errors', 'core/access-token'],
  ['core/reasons'],
]
/** `index` gathers the public names, the middleware is made of the guards' neighbours: the top line is one room. */
const TOP = LAYERS[1] ?? []

const MAX_FILE_LINES = 300
const MAX_FUNCTION_LINES = 60
const MAX_NESTING = 3

interface SourceFile {
  readonly path: string
  readonly text: string
  readonly tree: ts.SourceFile
}

const files: readonly SourceFile[] = readdirSync(LIB, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(LIB, path), 'utf8')
    return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) }
  })

function importsOf({ tree }: SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined
    if (specifier && ts.isStringLiteral(specifier)) found.push(specifier.text)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

const localImportsOf = (file: SourceFile) =>
  importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(LIB, resolve(LIB, dirname(file.path), name)).replace(/\.js$/, '.ts'))

function layerOf(path: string): { room: string; level: number } {
  for (const [level, rooms] of LAYERS.entries()) {
    const room = rooms.find((name) => path === `${name}.ts` || path.startsWith(`${name}/`))
    if (room !== undefined) return { room, level }
  }
  throw new Error(`${path} is in no layer: give it a place in the list`)
}

function walk(node: ts.Node, visit: (node: ts.Node, depth: number) => void, depth = 0): void {
  visit(node, depth)
  const deeper = isBlockStatement(node) ? depth + 1 : ts.isFunctionLike(node) ? 0 : depth
  ts.forEachChild(node, (child) => walk(child, visit, deeper))
}

function isBlockStatement(node: ts.Node): boolean {
  const isElseIf =
    ts.isIfStatement(node) && ts.isIfStatement(node.parent) && node.parent.elseStatement === node
  return (
    (ts.isIfStatement(node) && !isElseIf) ||
    ts.isIterationStatement(node, false) ||
    ts.isTryStatement(node) ||
    ts.isSwitchStatement(node)
  )
}

function ownLinesOf(node: ts.Node): number {
  let lines = node.getText().split('\n').length
  const subtract = (inner: ts.Node): void => {
    if (ts.isFunctionDeclaration(inner)) lines -= inner.getText().split('\n').length
    else ts.forEachChild(inner, subtract)
  }
  ts.forEachChild(node, subtract)
  return lines
}

const lineOf = (file: SourceFile, node: ts.Node) =>
  `${file.path}:${file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`

function offences(find: (file: SourceFile, report: (node: ts.Node) => void) => void): string[] {
  const found: string[] = []
  for (const file of files) find(file, (node) => found.push(lineOf(file, node)))
  return found
}

describe('the layout of lib/', () => {
  it('has files to look at', () => {
    expect(files.length).toBeGreaterThan(20)
  })

  it('imports downwards only', () => {
    const upwards = files.flatMap((file) => {
      const from = layerOf(file.path)
      return localImportsOf(file)
        .map((path) => ({ path, to: layerOf(path) }))
        .filter(({ to }) => to.room !== from.room && to.level <= from.level)
        .filter(({ to }) => !(TOP.includes(from.room) && from.room === 'index' && TOP.includes(to.room)))
        .map(({ path }) => `${file.path} imports ${path}`)
    })
    expect(upwards).toEqual([])
  })

  it('has no circles, types included', () => {
    const graph = new Map(files.map((file) => [file.path, localImportsOf(file)]))
    const circles: string[] = []
    const done = new Set<string>()
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      if (trail.includes(path) || done.has(path)) return
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
    expect(circles).toEqual([])
  })

  it.each([
    ['undici', ['core/io/', 'core/options/']],
    ['lru-cache', ['core/io/']],
    ['jose', ['core/token/', 'core/resource-metadata', 'testing/']],
    ['express', []],
  ])('lets %s be imported only from %j', (dependency, rooms) => {
    const users = files.filter((file) => importsOf(file).some((name) => name === dependency))
    const strangers = users.filter(({ path }) => !rooms.some((room) => path.startsWith(room)))
    expect(strangers.map(({ path }) => path)).toEqual([])
  })

  it('depends on nothing but its three dependencies and Node', () => {
    const foreign = files.flatMap((file) =>
      importsOf(file).filter((name) => !/^(?:\.|node:|undici$|lru-cache$|jose$)/.test(name)),
    )
    expect(foreign).toEqual([])
  })
})

describe('the budgets of lib/', () => {
  it(`keeps files within ${MAX_FILE_LINES} lines`, () => {
    const long = files.filter(({ text }) => text.split('\n').length - 1 > MAX_FILE_LINES)
    expect(long.map(({ path }) => path)).toEqual([])
  })

  it('keeps the median file within 120 lines', () => {
    const lengths = files.map(({ text }) => text.split('\n').length - 1).sort((a, b) => a - b)
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(120)
  })

  it(`keeps functions within ${MAX_FUNCTION_LINES} lines, not counting the named functions they hold`, () => {
    const long = offences((file, report) => {
      walk(file.tree, (node) => {
        if (ts.isFunctionLike(node) && ownLinesOf(node) > MAX_FUNCTION_LINES) report(node)
      })
    })
    expect(long).toEqual([])
  })

  it(`nests statements at most ${MAX_NESTING} deep`, () => {
    const deep = offences((file, report) => {
      walk(file.tree, (node, depth) => {
        if (isBlockStatement(node) && depth >= MAX_NESTING) report(node)
      })
    })
    expect(deep).toEqual([])
  })
})

describe('the style of lib/', () => {
  it('opens each file with a comment that says what it is', () => {
    expect(files.filter(({ text }) => !text.startsWith('/**')).map(({ path }) => path)).toEqual([])
  })

  it.each([
    ['any', (node: ts.Node) => node.kind === ts.SyntaxKind.AnyKeyword],
    [
      'a default export',
      (node: ts.Node) => ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword,
    ],
    ['console', (node: ts.Node) => ts.isIdentifier(node) && node.text === 'console'],
    [
      'process.env',
      (node: ts.Node) =>
        ts.isPropertyAccessExpression(node) &&
        node.name.text === 'env' &&
        node.expression.getText() === 'process',
    ],
  ])('holds no %s', (_what, isOffence) => {
    const found = offences((file, report) => {
      walk(file.tree, (node) => {
        if (isOffence(node) && !ts.isCaseOrDefaultClause(node.parent)) report(node)
      })
    })
    expect(found).toEqual([])
  })
})
