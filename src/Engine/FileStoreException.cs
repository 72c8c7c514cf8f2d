namespace TaskQueue.Engine;

/// <summary>
/// The storage of file contents cannot be read or written, for example because a disk is full or a server does not answer: a retry may
/// succeed.
/// </summary>
public sealed class FileStoreException(Exception inner) : Exception($"the file store fails: {inner?.Message}", inner);

/// <summary>The storage of file contents answers, but refuses this program: its settings or permissions are wrong.</summary>
/// <param name="message">The problem and how to fix it; no secret is in it.</param>
/// <param name="inner">The cause.</param>
public sealed class FileStoreRefusedException(string message, Exception? inner = null) : IOException(message, inner);
