using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Tests that start many processes and keep them busy: one after another, while other tests run.</summary>
[CollectionDefinition(Name)]
public sealed class ProcessesCollection
{
    public const string Name = "processes";
}
