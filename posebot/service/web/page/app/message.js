// Decodes the messages of the WebSocket, see docs/how-to/serve.md.

/**
 * @param {ArrayBuffer|string} data
 * @returns {{status?: any, sentAt?: number, header?: any, jpeg?: Blob}}
 */
export function decodeMessage(data) {
  if (typeof data === "string") {
    const message = JSON.parse(data);
    return message.type === "status" ? { status: message.status, sentAt: message.sent_at } : { header: message };
  }
  const length = new DataView(data).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  return { header, jpeg: new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) };
}
