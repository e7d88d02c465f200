/// Why a simulation of nodes cannot go on.
public struct NodeSimulationError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
