/// A run of bytes that shares the storage of the payload that it came in.
public typealias Bytes = ArraySlice<UInt8>
