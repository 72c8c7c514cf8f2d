namespace TaskQueue.Client;

/// <summary>Kind of text a codec encodes.</summary>
public enum TaskText
{
    /// <summary><see cref="NewTask.Data"/>.</summary>
    Data,

    /// <summary>The result of a task.</summary>
    Result,

    /// <summary>Progress reported by a processor.</summary>
    Progress,
}

/// <summary>
/// Encodes data, results and progress before they leave the program and decodes them on return, so that the server and the broker
/// store and show only the encoded form. Producers, workers and readers need the same codec. Implementations must be thread-safe.
/// </summary>
/// <remarks>
/// <see cref="Encode"/> must return JSON. Return an object whose only member is <c>$enc</c>, as <see cref="AesGcmPayloadCodec"/>
/// does: a program without the codec then fails with a clear message instead of using the encoded form as data.
/// </remarks>
public interface ITaskPayloadCodec
{
    /// <summary>Encodes JSON text.</summary>
    /// <param name="text">Kind of text.</param>
    /// <param name="json">JSON text.</param>
    /// <returns>JSON text.</returns>
    string Encode(TaskText text, string json);

    /// <summary>Decodes the output of <see cref="Encode"/>. Also receives JSON text that was never encoded.</summary>
    /// <param name="text">Kind of text.</param>
    /// <param name="json">JSON text as stored by the server; white space may differ.</param>
    /// <returns>JSON text.</returns>
    /// <exception cref="TaskPayloadException">The text cannot be decoded.</exception>
    string Decode(TaskText text, string json);
}

/// <summary>Data, a result or progress cannot be decoded. The message names the key and reveals no content.</summary>
/// <param name="message">Why decoding failed.</param>
/// <param name="inner">The underlying exception, if any.</param>
public sealed class TaskPayloadException(string message, Exception? inner = null) : Exception(message, inner);
