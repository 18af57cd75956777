/** The command line: a command, then options written --name=value or --name. */

const [name = 'help', ...rest] = process.argv.slice(2)

export const command = name

/** @type {Record<string, string | true>} */
export const options = Object.fromEntries(
  rest.map((word) => {
    const [key, ...value] = word.replace(/^--/, '').split('=')
    return [key, value.length > 0 ? value.join('=') : true]
  }),
)

export const number = (key, otherwise) => Number(options[key] ?? otherwise)
export const list = (key, otherwise) => (options[key] === undefined ? otherwise : options[key].split(','))

/** The Node under which contestants run; the load and the authorization server run under this one. */
export const node = options.node ?? process.execPath
