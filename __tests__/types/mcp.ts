/** A server of the Model Context Protocol takes `req.auth` without an adapter. */
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'
import type { AccessToken } from '../../lib/main.js'

const transport = new StreamableHTTPServerTransport({})

express().post('/mcp', async (req, res) => {
  const info: AuthInfo = req.auth
  await transport.handleRequest(req, res, info.scopes)
})

export const toAuthInfo = (accessToken: AccessToken): AuthInfo => accessToken
