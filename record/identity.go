package record

import "unique"

// Identity tells the records of a kind apart: a user, or else a name. The zero Identity is nobody's, as that of the
// counters.
type Identity struct {
	User UserID
	Name Name // none where User is not zero
}

// ParseIdentity returns the identity that text gives: that of a user where it is a user id, else that of the name.
func ParseIdentity(text string) Identity {
	if user, ok := ParseUserID(text); ok {
		return Identity{User: user}
	}
	return Identity{Name: NameOf(text)}
}

// String returns the text of the identity. Only nobody's is empty.
func (id Identity) String() string {
	if id.User != 0 {
		return id.User.String()
	}
	return id.Name.String()
}

// length returns the length of the identity's text.
func (id Identity) length() int {
	if id.User != 0 {
		return digits(uint64(id.User))
	}
	return len(id.Name.String())
}

// Hash returns a number that depends on the identity alone. Its upper bits spread identities evenly.
func (id Identity) Hash() uint64 { return HashOf(id.User, id.Name.String()) }

// HashOf returns the [Identity.Hash] of a user or, where that is zero, of a name.
func HashOf(user UserID, name string) uint64 {
	if user != 0 || name == "" {
		// Snowflakes of one time differ in their lowest bits alone, which the multiplication spreads to the highest.
		return uint64(user) * 0x9E3779B97F4A7C15
	}
	return hashText(name)
}

// Name is text that identifies what is no user's, such as the key of a table's row. It takes 8 bytes, and names of the
// same text are equal by ==. The zero Name is none.
type Name struct{ text unique.Handle[string] }

// NameOf returns the name with the text. Empty text is none.
func NameOf(text string) Name {
	if text == "" {
		return Name{}
	}
	return Name{unique.Make(text)}
}

// Equal reports whether the names have the same text, as == does. It is for what compares by reflection.
func (n Name) Equal(o Name) bool { return n == o }

// String returns the name's text.
func (n Name) String() string {
	if n == (Name{}) {
		return ""
	}
	return n.text.Value()
}
