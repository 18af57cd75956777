/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // the suites mostly wait for servers of their own
  maxWorkers: '100%',
  // a busy machine is no failed test
  testTimeout: 30_000,
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  collectCoverageFrom: ['lib/**/*.ts', '!lib/testing/**'],
  coverageThreshold: { global: { statements: 90, lines: 90, functions: 80, branches: 80 } },
  coverageProvider: 'v8',
  coverageReporters: ['text', 'lcovonly'],
  modulePathIgnorePatterns: ['<rootDir>/bench/', '<rootDir>/dist/'],
}
