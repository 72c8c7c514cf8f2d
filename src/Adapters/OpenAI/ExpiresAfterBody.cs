namespace TaskQueue.Adapters.OpenAI;

/// <summary>When a file expires.</summary>
/// <param name="Anchor"><c>created_at</c>: from its creation.</param>
/// <param name="Seconds">3,600 to 2,592,000.</param>
public sealed record ExpiresAfterBody(string? Anchor, long? Seconds)
{
    private const int Shortest = 3600, Longest = 2_592_000;

    /// <summary>The time that the file is kept.</summary>
    /// <param name="name">Name of the member, for the error.</param>
    /// <exception cref="Http.Errors.ApiException">400.</exception>
    internal int Read(string name)
    {
        if (Anchor != "created_at")
            throw OpenAIErrors.Invalid($"{name}.anchor must be created_at", $"{name}.anchor");
        return Seconds is >= Shortest and <= Longest ? (int)Seconds
            : throw OpenAIErrors.Invalid($"{name}.seconds must be {Shortest} to {Longest}", $"{name}.seconds");
    }
}
