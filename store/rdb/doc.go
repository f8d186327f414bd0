// Package rdb reads the keys of a Redis RDB file (dump.rdb).
package rdb

import _ "github.com/hdt3213/rdb/parser"
