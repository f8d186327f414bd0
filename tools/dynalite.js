// dynalite.js PORT serves DynamoDB from memory on a port of 127.0.0.1, a free one where it is 0, and prints its URL once
// it does. Tables are there at once.
const server = require('dynalite')({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 })
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))

// A client that is gone before it has sent its request would end dynalite.
process.on('uncaughtException', err => { if (err.code !== 'ECONNRESET') throw err })
