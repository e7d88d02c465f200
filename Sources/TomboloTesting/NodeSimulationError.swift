/// The reason why a simulation of nodes cannot continue.
public struct NodeSimulationError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
