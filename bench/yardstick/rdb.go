package yardstick

import (
	"fmt"
	"os"

	"github.com/hdt3213/rdb/parser"
)

// parse reads an RDB file with the library alone.
func parse(path string) (count int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	err = parser.NewDecoder(file).Parse(func(object parser.RedisObject) bool {
		switch object.GetType() {
		case parser.StringType, parser.HashType:
			count++
		}
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("parse %s: %w", path, err)
	}
	return count, nil
}
