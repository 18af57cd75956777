/** The child's side of lib/processes.mjs. */

/** Answers calls by name, and ends when the parent is gone. */
export function answerCalls(commands) {
  process.on('disconnect', () => process.exit(0))
  process.on('message', async ({ id, command, value }) => {
    const reply = await commands[command](value)
    process.send({ id, reply: reply ?? null })
  })
  process.send({ ready: true })
}

export const cpuUsage = () => process.cpuUsage()
