// Package ownfile opens and checks files that a run writes: never through a symbolic link, and never one that somebody
// else owns, since that person could read what is written, or have chosen what is overwritten.
package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNotOwn marks the error for what is not a regular file of this user's.
var ErrNotOwn = errors.New("not this user's own regular file")

// notOwn says what the file at the path is instead of this user's own regular file.
type notOwn string

func (e notOwn) Error() string { return string(e) }

func (notOwn) Is(target error) bool { return target == ErrNotOwn }

// Append opens the file for reading, and for appending to it. Where there is none it is made, with mode 0600; one that
// is there gets this mode. The error says so by [ErrNotOwn] where the file is not this user's own.
func Append(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|plainly, 0o600)
	if err != nil {
		return nil, errors.Join(Check(path), err)
	}
	info, err := file.Stat()
	if err == nil {
		err = owned(path, info)
	}
	if err == nil && info.Mode().Perm() != 0o600 {
		err = file.Chmod(0o600)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Check returns an error by [ErrNotOwn] where something stands at the path that is not this user's own regular file. It
// changes nothing.
func Check(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return owned(path, info)
}

// owned returns an error where info is not of a regular file of this user's.
func owned(path string, info fs.FileInfo) error {
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		return notOwn(linkText(path))
	case info.IsDir():
		return notOwn(path + " is a folder")
	case !info.Mode().IsRegular():
		return notOwn(path + " is not a regular file")
	}
	if owner, other := otherOwner(info); other {
		return notOwn(fmt.Sprintf("%s belongs to another user (%s)", path, owner))
	}
	return nil
}

func linkText(path string) string {
	to, err := os.Readlink(path)
	if err != nil {
		return path + " is a symbolic link"
	}
	text := fmt.Sprintf("%s is a symbolic link to %s", path, to)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		text += ", which does not exist"
	}
	return text
}
