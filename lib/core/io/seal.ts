/** Text that only who has the key can read, and only who has the key can have written (AES-256-GCM). */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export interface Seal {
  /** @param context where it will stand: it opens nowhere else */
  seal(text: string, context: string): string
  /** @returns undefined if it was not sealed with this key for this context */
  open(sealed: string, context: string): string | undefined
}

const ALGORITHM = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
/** The length of what is sealed tells little: it is rounded up with spaces. */
const BLOCK_CHARACTERS = 256

/** @param key 32 bytes */
export function createSeal(key: Uint8Array): Seal {
  return {
    seal(text, context) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(Buffer.from(context))
      const padded = text.padEnd(Math.ceil(text.length / BLOCK_CHARACTERS) * BLOCK_CHARACTERS)
      const body = [cipher.update(padded, 'utf8'), cipher.final()]
      return Buffer.concat([iv, cipher.getAuthTag(), ...body]).toString('base64url')
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < IV_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES))
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
      const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8')
      return authenticates(decipher) ? text.trimEnd() : undefined
    },
  }
}

/** Node tells it by throwing a plain Error. */
function authenticates(decipher: ReturnType<typeof createDecipheriv>): boolean {
  try {
    decipher.final()
    return true
  } catch {
    return false
  }
}
