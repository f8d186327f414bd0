package record

// Reason says why a value was not written. Reasons are part of the rejects file's format.
type Reason string

// The reasons, in alphabetical order.
const (
	AmbiguousAPIKey      Reason = "ambiguous-api-key"     // several keys authenticate, and none is the user's current one
	ConflictReason       Reason = "conflict"              // the target's value differs, and somebody else wrote it
	DocumentTooLarge     Reason = "document-too-large"    // over the target's limit
	ImplausibleTimestamp Reason = "implausible-timestamp" // a time, but not one that can be true
	InvalidFieldName     Reason = "invalid-field-name"    // the target cannot hold a field of this name
	InvalidItemKey       Reason = "invalid-item-key"      // what identifies the document is not the key that its attributes give
	InvalidUserID        Reason = "invalid-user-id"       // no snowflake
	InvalidUTF8          Reason = "invalid-utf8"          // no text
	NotACounter          Reason = "not-a-counter"         // not a finite number of zero or more, or a reserved name
	NotATimestamp        Reason = "not-a-timestamp"       // not a time
	NotText              Reason = "not-text"              // the target's layout holds texts alone
	NumberOutOfRange     Reason = "number-out-of-range"   // beyond what the target's numbers hold
	RefusedByTarget      Reason = "refused-by-target"     // the target's own refusal
	StaleAPIKey          Reason = "stale-api-key"         // authenticates, but another key is the user's current one
	TooDeep              Reason = "too-deep"              // nested deeper than MaxDepth
	UnpairedAPIKey       Reason = "unpaired-api-key"      // named as current, but does not authenticate
	WrongType            Reason = "wrong-type"            // the source's key has another type than Lanyard gives it
)

// MaxDepth is how many arrays and objects may stand inside each other in one value.
const MaxDepth = 100

// Bytes is a value as the source holds it, or a remark on why it is not here.
type Bytes struct {
	Data    string
	Present bool
	Type    string // the source's own name of its type, where Present is false
	Size    int64  // in bytes, where Present is false
	Form    Form   // what Data is
}

// Form says what the bytes of a value are.
type Form string

// The forms.
const (
	SourceForm Form = ""          // as the source holds them
	TextForm   Form = "text"      // text that the target holds
	JSONForm   Form = "json"      // the JSON of a value that the target holds
	ShownForm  Form = "json_like" // JSON that shows a value of the target which JSON cannot hold
)

// Raw returns data as present bytes.
func Raw(data string) Bytes { return Bytes{Data: data, Present: true} }

// Reject is a value that was not written, and why. It may hold secrets: it belongs into the rejects file and nowhere
// else.
type Reject struct {
	Key      string // the source's key; any bytes
	Kind     Kind
	User     UserID // zero where there is none
	Name     Name   // of a record that no user identifies; it is shown where there is no Key
	Field    string // any bytes
	HasField bool
	Reason   Reason
	Detail   string // for people; without the value
	Value    Bytes

	// Mirrored tells of a superseded value that it is lanyardctl's own copy of what the source held before.
	Mirrored bool
}

// At returns r for the named field.
func (r Reject) At(field string, from Origin) Reject {
	r.Key, r.Field, r.HasField, r.Value = from.Key, field, true, Raw(from.Raw)
	return r
}

// Superseded is a value that gave way to another: it was overwritten or removed in the target, or is the lesser of two
// that the source holds. It is kept in a file beside the rejects.
type Superseded Reject

// SupersededReason stands where a reject has its reason.
const SupersededReason Reason = "superseded"
