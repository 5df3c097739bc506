import ArgumentParser
import Simulator

@main
struct CoveySim: ParsableCommand {}
