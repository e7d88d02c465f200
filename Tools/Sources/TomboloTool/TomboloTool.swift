import ArgumentParser
import Tombolo

@main struct TomboloTool: ParsableCommand { }
