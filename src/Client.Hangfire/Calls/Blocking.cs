namespace TaskQueue.Client;

/// <summary>Hangfire's interfaces are synchronous, the client of TaskQueue is not.</summary>
internal static class Blocking
{
    /// <summary>Waits for work that runs on the thread pool, where no synchronization context can make the wait a deadlock.</summary>
    public static T Run<T>(Func<Task<T>> work) => Task.Run(work).GetAwaiter().GetResult();

    /// <inheritdoc cref="Run{T}(Func{Task{T}})"/>
    public static void Run(Func<Task> work) => Task.Run(work).GetAwaiter().GetResult();
}
