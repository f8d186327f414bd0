package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// rdbURI tells whether uri names an RDB file.
func rdbURI(uri string) bool { return redact.Scheme(uri) == "rdb" }

// rdbPlace is what an "rdb:PATH[?db=N]" URI names.
type rdbPlace struct {
	path string
	db   int
}

const rdbHint = "such as rdb:./dump.rdb or rdb:/var/lib/redis/dump.rdb?db=1"

// parseRDB reads the URI of an RDB file. A path may hold any character but a question mark.
func parseRDB(p place) (rdbPlace, error) {
	path, query, given := strings.Cut(strings.TrimPrefix(p.URI[len("rdb:"):], "//"), "?")
	at := rdbPlace{path: path}
	if path == "" {
		return at, exit.WrongUse(p.From+": rdb: names no file", rdbHint)
	}
	if !given {
		return at, nil
	}
	number, isDB := strings.CutPrefix(query, "db=")
	if !isDB {
		return at, exit.WrongUse(fmt.Sprintf("%s: what follows the question mark is %q, and not db=N", p.From, query),
			"rename the file where its name holds a question mark; "+rdbHint)
	}
	db, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return at, exit.WrongUse(fmt.Sprintf("%s: %q is no number of a database", p.From, number), rdbHint)
	}
	at.db = int(db)
	return at, nil
}
