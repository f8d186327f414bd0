// Package dynamoserver starts real DynamoDB servers for tests: dynalite, each on a free port of 127.0.0.1, with its tables
// in memory. A server stops with its test, also when the test fails, panics or is killed. It is for tests only.
//
// scripts/dynalite installs it. Where it cannot, a test is skipped and says so; with CI=true it fails.
//
// A [Proxy] stands in front of a server and makes it fail as that of Amazon does.
package dynamoserver
