package dynamo

// For tests of what stands in tables.
var (
	AttributeOf = attributeOf
	ValueOf     = valueOf
)
