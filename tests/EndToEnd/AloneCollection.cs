using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Tests that measure: they run alone, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
