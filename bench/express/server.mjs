#!/usr/bin/env node
// The aggregation of configs/jobs/compose, or with three arguments more of configs/jobs/compose-mixed, as an Express application: six calls at once, the first two required, each with a time
// limit; one line of JSON for each request, as the proxies write it. It asks by undici, Node's fastest client, over kept connections.
import { randomUUID } from "node:crypto";
import { createWriteStream, readFileSync } from "node:fs";

// Read by Express when it is loaded.
process.env.NODE_ENV = "production";
const { default: express } = await import("express");
const { Pool } = await import("undici");

if (process.argv[2] === "--version") {
    const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
    console.log(`Express ${version("express")}, grpc-js ${version("@grpc/grpc-js")}, undici ${version("undici")}, Node.js ${process.versions.node}`);
    process.exit();
}
const [port, upstream, mark, logFile, rpcPort, proto, imports] = process.argv.slice(2);

const legs = ["profile", "orders", "recommendations", "balance", "messages", "offers"];
const required = new Set(["profile", "orders"]);
const pool = new Pool(`http://127.0.0.1:${upstream}`, { headersTimeout: 800, bodyTimeout: 800 });
const log = createWriteStream(logFile, { flags: "a" });

async function call(leg, fields) {
    const { statusCode, body } = await pool.request({ method: "GET", path: `/${leg}/7`, headers: fields });
    if (statusCode !== 200) {
        await body.dump();
        throw new Error(`${leg}: ${statusCode}`);
    }
    return body.json();
}

// Legs that are calls of gRPC, each with the message that configs/jobs/compose-mixed sends.
const calls = new Set(rpcPort ? ["balance", "messages", "offers"] : []);
const echo = rpcPort ? await client() : undefined;

async function client() {
    const { default: grpc } = await import("@grpc/grpc-js");
    const { default: loader } = await import("@grpc/proto-loader");
    const definition = await loader.load(proto, { longs: String, enums: String, includeDirs: [imports] });
    const { Echo } = grpc.loadPackageDefinition(definition).bench;
    return new Echo(`127.0.0.1:${rpcPort}`, grpc.credentials.createInsecure());
}

function ask(leg) {
    const message = { id: 7, name: leg, price: 12.5, available: true, tags: ["a", "b"], size: { width: 3, height: 4 } };
    return new Promise((resolve, reject) => {
        const done = (error, answer) => (error ? reject(error) : resolve(answer));
        echo.unary(message, { deadline: Date.now() + 800 }, done);
    });
}

const app = express();
app.disable("x-powered-by");
app.set("etag", false);
app.get("/generation", (_, response) => response.json({ generation: Number(mark) }));
app.use((request, response, next) => {
    const begun = process.hrtime.bigint();
    request.id = request.get("x-request-id") ?? randomUUID();
    response.on("finish", () => {
        const duration = Number(process.hrtime.bigint() - begun) / 1e6;
        log.write(`${JSON.stringify({
            time: new Date().toISOString(), id: request.id, client: request.socket.remoteAddress, method: request.method,
            host: request.hostname, path: request.path, protocol: `HTTP/${request.httpVersion}`, status: response.statusCode,
            bytes: Number(response.get("content-length") ?? 0), duration_ms: duration, agent: request.get("user-agent"),
        })}\n`);
    });
    next();
});
app.get("/home", async (request, response) => {
    const fields = {
        accept: "application/json",
        "x-forwarded-for": request.socket.remoteAddress,
        "x-forwarded-proto": "http",
        "x-request-id": request.id,
    };
    const results = await Promise.allSettled(legs.map((leg) => (calls.has(leg) ? ask(leg) : call(leg, fields))));
    const home = {};
    for (const [at, result] of results.entries()) {
        const leg = legs[at];
        if (result.status === "rejected" && required.has(leg)) {
            response.status(503).json({ error: "home_unavailable" });
            return;
        }
        home[leg] = result.status === "fulfilled" ? result.value : null;
    }
    response.set("x-request-id", request.id).json(home);
});
app.listen(Number(port), "127.0.0.1");
