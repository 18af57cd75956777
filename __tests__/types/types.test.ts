/** What the compiler says to users: the type tests beside this file, and the code blocks of README.md. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import ts from 'typescript'

const TYPE_TESTS = ['express', 'mcp', 'options'].map((name) => resolve('__tests__/types', `${name}.ts`))

/** What the fragments of the page leave to the reader. */
const AROUND = `
import { expect } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import * as z from 'zod'
import {
  allOf, anyOf, auditRoutes, backchannelLogout, protectedResourceMetadata, requireAnyScope, requireClaim,
  requireFresh, requireRole, requireScopes, resourceServer,
} from 'express-resource-server'
import type { ResourceServer, ResourceServerOptions } from 'express-resource-server'
declare const app: express.Express
declare const options: ResourceServerOptions
declare const resource: string, issuer: string, clientId: string, clientSecret: string, nonceSecret: string
declare const list: RequestHandler, create: RequestHandler, reports: RequestHandler
declare const acme: RequestHandler, adults: RequestHandler
`
/** What most fragments begin with; those that make one of their own do not. */
const SERVER = 'declare const server: ResourceServer\n'

interface Block {
  readonly path: string
  readonly firstLine: string
  readonly text: string
}

const blocks: readonly Block[] = [
  ...readFileSync('README.md', 'utf8').matchAll(/```(?:ts|js)\n([^]*?)```/g),
].map(([, code = ''], index) => ({
  path: join(resolve('.'), `readme-block-${index}.ts`),
  firstLine: code.split('\n').find((line) => !line.startsWith('import')) ?? '',
  text: code.includes("from 'express-resource-server'") ? code : aroundOf(code) + withoutEllipses(code),
}))

function aroundOf(code: string): string {
  return code.includes('const server =') ? AROUND : AROUND + SERVER
}

function withoutEllipses(code: string): string {
  return code.replaceAll('{ … }', 'options').replaceAll('(…)', '(() => undefined)')
}

function createProgram(): ts.Program {
  const { config } = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)) as {
    config: unknown
  }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('.'))
  const virtual = new Map(blocks.map(({ path, text }) => [path, text]))
  const settings: ts.CompilerOptions = {
    ...options,
    // the rules of this project about its own code are not the reader's
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: { 'express-resource-server': [resolve('lib/main.ts')] },
  }
  const host = ts.createCompilerHost(settings)
  const getSourceFile = host.getSourceFile.bind(host)
  host.fileExists = (path) => virtual.has(path) || ts.sys.fileExists(path)
  host.readFile = (path) => virtual.get(path) ?? ts.sys.readFile(path)
  host.getSourceFile = (path, version, ...rest) => {
    const text = virtual.get(path)
    return text === undefined
      ? getSourceFile(path, version, ...rest)
      : ts.createSourceFile(path, text, version)
  }
  return ts.createProgram([...TYPE_TESTS, ...virtual.keys()], settings, host)
}

describe('the compiler', () => {
  let program: ts.Program
  beforeAll(() => {
    program = createProgram()
  }, 60_000)

  function complaintsAbout(path: string): string[] {
    const file = program.getSourceFile(path)
    if (!file) throw new Error(`${path} is not part of the program`)
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return found.map(({ messageText, start = 0 }) => {
      const line = file.text.slice(0, start).split('\n').length
      const text = ts.flattenDiagnosticMessageText(messageText, '\n')
      return `line ${line}, ${file.text.split('\n')[line - 1] ?? ''}: ${text}`
    })
  }

  it.each([
    ['takes the handlers wherever Express 5 takes one, with req.auth typed', 'express.ts'],
    ["takes req.auth for the MCP SDK's AuthInfo", 'mcp.ts'],
    ['refuses options misused', 'options.ts'],
  ])(
    '%s',
    (_sentence, file) => {
      expect(complaintsAbout(resolve('__tests__/types', file))).toEqual([])
    },
    60_000,
  )

  it.each(blocks)(
    'takes the block of README.md: $firstLine',
    ({ path }) => {
      expect(complaintsAbout(path)).toEqual([])
    },
    60_000,
  )
})
