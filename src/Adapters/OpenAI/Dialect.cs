namespace TaskQueue.Adapters.OpenAI;

/// <summary>How files and batches are written on the wire: one field cannot serve both worlds (bella.md 1.5).</summary>
internal enum Dialect
{
    /// <summary>Milliseconds, <c>""</c> for nothing, 202 for a cancel.</summary>
    Bella,

    /// <summary>Seconds, null for nothing, 200 for a cancel: what the official SDKs read.</summary>
    OpenAI,
}
