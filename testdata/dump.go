// Package testdata holds the bundled dump: an RDB file that a real redis-server saved, with every layout that any version
// of Lanyard wrote and a value for every reason to reject one. README.md tells its users apart.
package testdata

import _ "embed"

// Dump is dump.rdb. It must not be changed.
//
//go:embed dump.rdb
var Dump []byte
