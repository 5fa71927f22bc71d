// One operation of AWS's SDK for JavaScript, which NODE_PATH has:
//     node s3.cjs ENDPOINT put|get|list|delete BUCKET KEY-OR-PREFIX [FILE]
// Credentials and region come from the environment. A refusal is printed as JSON.
"use strict";

const { createReadStream, createWriteStream, statSync } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const {
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  paginateListObjectsV2,
} = require("@aws-sdk/client-s3");

const [endpoint, operation, Bucket, Key, file] = process.argv.slice(2);
const client = new S3Client({ endpoint, forcePathStyle: true, maxAttempts: 1 });

const operations = {
  // From a stream: what it sums up is known only at the end, and is sent as a trailer.
  async put() {
    const Body = createReadStream(file);
    const ContentLength = statSync(file).size;
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength }));
  },
  async get() {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    await pipeline(Body, createWriteStream(file));
  },
  async list() {
    const keys = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix: Key })) {
      keys.push(...(page.Contents ?? []).map((entry) => entry.Key));
    }
    console.log(JSON.stringify(keys));
  },
  async delete() {
    await client.send(new DeleteObjectCommand({ Bucket, Key }));
  },
};

operations[operation]().catch((error) => {
  if (!(error instanceof S3ServiceException)) throw error;
  console.error(JSON.stringify({ refused: error.name, message: error.message }));
  process.exitCode = 1;
});
