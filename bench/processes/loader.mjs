/** The load generator, a process of its own: windows of load on request. */
import { runLoad } from '../lib/load.mjs'
import { answerCalls } from './ipc.mjs'

answerCalls({ run: runLoad })
