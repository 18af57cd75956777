/** The SHA-256 of a text, as a key under which things may be kept: the text itself is not. */
import { hash } from 'node:crypto'

export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}
