using Grpc.Core;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Client;

/// <summary>Gives the server credit as the worker gets room, until it claims no more or the call ends.</summary>
internal sealed class CreditStream(AsyncDuplexStreamingCall<Wire.ClaimRequest, Wire.ClaimAnswer> call, InFlightAttempts attempts,
    CancellationToken enough) : IAsyncDisposable
{
    /// <summary>Most that the server accepts.</summary>
    private const int MaxCredit = 1000;

    private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(enough);
    private Task _granting = Task.CompletedTask;
    private int _promised;

    public async Task BeginAsync(Wire.ClaimRequest first, int room)
    {
        first.Credit = _promised = room;
        try
        {
            await call.RequestStream.WriteAsync(first);
        }
        catch (Exception fault) when (IsEnd(fault))
        {
            return; // the responses say why
        }

        _granting = GrantAsync();
    }

    /// <summary>Tasks have arrived, and take up the room that was promised to them.</summary>
    public void Received(int tasks)
    {
        Interlocked.Add(ref _promised, -tasks);
        attempts.Arrived();
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _granting;
        _end.Dispose();
    }

    private async Task GrantAsync()
    {
        try
        {
            while (true)
            {
                var room = await attempts.RoomAsync(_end.Token, () => Volatile.Read(ref _promised));
                room = Math.Min(room, MaxCredit - Volatile.Read(ref _promised)); // room may be counted twice while a task ends
                if (room <= 0)
                    continue;
                Interlocked.Add(ref _promised, room);
                await call.RequestStream.WriteAsync(new Wire.ClaimRequest { Credit = room });
            }
        }
        catch (Exception fault) when (IsEnd(fault))
        {
            // The worker claims no more, or the call has ended: then its responses say why.
        }

        try
        {
            await call.RequestStream.CompleteAsync(); // the server sends no more, and ends the call
        }
        catch (Exception fault) when (IsEnd(fault))
        {
            // It has ended already.
        }
    }

    private static bool IsEnd(Exception fault) =>
        fault is OperationCanceledException or RpcException or InvalidOperationException or IOException;
}
