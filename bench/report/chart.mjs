/** The chart for the README: throughput as a ratio to bare Express, tokens that come again and new ones. */
import { OURS, OURS_OPAQUE } from '../lib/contestants.mjs'
import { format } from '../lib/stats.mjs'

const WIDTH = 760
const LABEL_WIDTH = 232
const BAR_LEFT = LABEL_WIDTH + 12
const BAR_WIDTH = WIDTH - BAR_LEFT - 56
const BAR_HEIGHT = 11
const ROW_HEIGHT = 32
const PANEL_HEAD = 46
const TOP = 64
const BOTTOM = 40
const GRID = [0.25, 0.5, 0.75, 1]

const NAMES = {
  [OURS]: 'express-resource-server',
  [OURS_OPAQUE]: 'express-resource-server',
  'fast-jwt-cached': 'fast-jwt, its cache on',
  'mcp-sdk-jose': 'MCP SDK + jose',
  'okta-jwt-verifier': '@okta/jwt-verifier',
  'opaque/naive-fetch': 'fetch, each time',
  'opaque/naive-undici': 'undici, each time',
  'opaque/naive-http': 'node:http, each time',
}
const nameOf = (name) => NAMES[name] ?? name.replace('opaque/', '')

/** Not peers: the ground, and what one would write by hand. */
const LEFT_OUT = new Set(['aa-express', 'bare-http', 'noop', 'node-crypto', 'node-crypto-batch'])

function panel(title, again, fresh, ours) {
  const names = [...new Set([...(again?.rows ?? []), ...(fresh?.rows ?? [])].map((row) => row.name))]
  const ratio = (result, name) => result?.rows.find((row) => row.name === name)?.ratio
  const rows = names
    .filter((name) => !LEFT_OUT.has(name))
    .map((name) => ({ name, isOurs: name === ours, again: ratio(again, name), fresh: ratio(fresh, name) }))
    .sort((a, b) => b.isOurs - a.isOurs || (b.again ?? 0) - (a.again ?? 0))
  return { title, rows }
}

export function drawChart({ major, results }) {
  const panels = [
    panel('JWT (RS256)', results.W1, results['W3-RS256'], OURS),
    panel('Opaque token (introspection)', results['W5-hot'], results['W5-cold'], OURS_OPAQUE),
  ].filter(({ rows }) => rows.length > 0)
  let y = TOP
  const drawn = panels.map((each) => {
    const text = drawPanel(each, y)
    y += PANEL_HEAD + each.rows.length * ROW_HEIGHT
    return text
  })
  const height = y + BOTTOM
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">Throughput with access tokens checked, as a ratio to bare Express</title>
<desc id="desc">${escape(describe(panels))}</desc>
<style>
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .background { fill: #ffffff }
  .head { font-size: 16px; font-weight: 600 }
  .panel, .ours { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  .again { fill: #a9b4c0 }
  .fresh { fill: #6e7b89 }
  .again.own { fill: #2da44e }
  .fresh.own { fill: #116329 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .background { fill: #0d1117 }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .value { stroke: #0d1117 }
    .again { fill: #8b96a3 }
    .fresh { fill: #59646f }
    .again.own { fill: #3fb950 }
    .fresh.own { fill: #238636 }
  }
</style>
<rect class="background" width="${WIDTH}" height="${height}" rx="8"/>
<text class="head" x="16" y="28">Requests a second, as a share of bare Express</text>
${legend()}
${drawn.join('\n')}
<text class="small" x="16" y="${height - 16}">Node ${major}, one core, 32 connections. Longer is better; 1.00 is Express with no check at all.</text>
</svg>
`
}

function legend() {
  const swatch = (x, kind) =>
    `<rect class="${kind}" x="${x}" y="39" width="11" height="11" rx="2"/>` +
    `<rect class="${kind} own" x="${x + 13}" y="39" width="11" height="11" rx="2"/>`
  return [
    swatch(16, 'again'),
    `<text class="small" x="46" y="49">a token that comes again</text>`,
    swatch(212, 'fresh'),
    `<text class="small" x="242" y="49">a token never seen before</text>`,
  ].join('')
}

function drawPanel({ title, rows }, top) {
  const first = top + PANEL_HEAD - 10
  const bottom = first + rows.length * ROW_HEIGHT - 4
  const grid = GRID.map((share) => {
    const x = BAR_LEFT + share * BAR_WIDTH
    return (
      `<line class="grid" x1="${x}" x2="${x}" y1="${first - 4}" y2="${bottom}"/>` +
      `<text class="small" x="${x}" y="${first - 9}" text-anchor="middle">${share.toFixed(2)}</text>`
    )
  })
  const bars = rows.map((row, index) => drawRow(row, first + index * ROW_HEIGHT))
  return [`<text class="panel" x="16" y="${first - 9}">${escape(title)}</text>`, ...grid, ...bars].join('\n')
}

function drawRow({ name, isOurs, again, fresh }, y) {
  const own = isOurs ? ' own' : ''
  const label = `<text${isOurs ? ' class="ours"' : ''} x="${LABEL_WIDTH}" y="${y + 17}" text-anchor="end">${escape(nameOf(name))}</text>`
  return [label, bar(again, `again${own}`, y), bar(fresh, `fresh${own}`, y + BAR_HEIGHT + 1)].join('')
}

function bar(ratio, kind, y) {
  if (ratio === undefined || Number.isNaN(ratio)) return ''
  const width = Math.max(1, Math.min(1.06, ratio) * BAR_WIDTH)
  return (
    `<rect class="${kind}" x="${BAR_LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>` +
    `<text class="small value" x="${(BAR_LEFT + width + 5).toFixed(1)}" y="${y + 9.5}">${format(ratio, 2)}</text>`
  )
}

const describe = (panels) =>
  panels
    .map(({ title, rows }) => {
      const figures = rows.map(
        ({ name, again, fresh }) => `${nameOf(name)} ${format(again, 2)} and ${format(fresh, 2)}`,
      )
      return `${title}, repeated and never seen: ${figures.join('; ')}.`
    })
    .join(' ')

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
