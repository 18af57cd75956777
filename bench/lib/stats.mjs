/** Medians and quantiles, and how figures and tables are written. */

export function quantile(values, share) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const half = sorted.length >> 1
  if (sorted.length === 0) return NaN
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/** Three figures are all that these measurements carry. */
export function format(value, digits) {
  if (typeof value !== 'number' || Number.isNaN(value)) return '–'
  if (digits !== undefined) return value.toFixed(digits)
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

export const range = ([from, to], digits) => `${format(from, digits)}–${format(to, digits)}`

export function markdownTable(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** How often each value occurs, e.g. of status codes. */
export function countBy(values) {
  const counts = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

export const formatCounts = (counts) =>
  Object.entries(counts)
    .map(([value, count]) => `${value} × ${count}`)
    .join(', ')
